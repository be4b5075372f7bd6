"""The part in the user's process: catches what nobody caught, answers safely, captures the event, ships it."""
