"""The pages of officers and operators, at the broker: rules, oversight, the state of the system."""
