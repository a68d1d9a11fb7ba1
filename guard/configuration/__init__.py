"""How TOML becomes a `Config`. `guard.config` is the way in; these modules are its parts."""
