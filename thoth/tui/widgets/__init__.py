"""The widgets: messages go up, reactives come down."""
