"""The deferred engine: stamp now, decide later."""
