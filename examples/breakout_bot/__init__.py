"""A small breakout bot, observed with ticktrace from the first candle to the last fill."""
