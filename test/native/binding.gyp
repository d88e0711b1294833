{
  # The tests' addon: the same native code with its inner functions exported and faults to plant.
  # Never shipped; built by `npm test`.
  "variables": { "root": "../.." },
  "includes": ["../../native/settings.gypi"],
  "target_defaults": { "defines": ["PAIRMINT_TESTING"] },
  "targets": [
    {
      "target_name": "internals",
      "dependencies": ["mont_avx2", "mont_avx512ifma"],
      "sources": ["<!@(node ../../native/tools/sources.mjs core functions internals)"]
    }
  ]
}
