"""The world: states, actions, kernel, discount; and builders of finite MDPs."""
