from policycliff.mdp import compilation


def test_kernels_compile_where_no_cache_can_be_written(monkeypatch):
    real = compilation.njit

    def without_folder(**options):
        def refuse(_function):
            raise RuntimeError("no locator available")

        return refuse if options.get("cache") else real(**options)

    monkeypatch.setattr(compilation, "njit", without_folder)
    assert compilation.compiled(lambda x: x + 1)(1) == 2
