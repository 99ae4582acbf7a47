"""What the broker builds its ports on: database, OPA, gateways; built only by `broker/app.py`."""
