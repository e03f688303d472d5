"""An application that knows nothing of WAMP, and what a person does to it."""
