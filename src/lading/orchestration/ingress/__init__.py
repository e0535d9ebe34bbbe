"""Published ports that stay open while the containers behind them change."""
