{
  "includes": ["native/settings.gypi"],
  "targets": [
    {
      "target_name": "pairmint",
      "dependencies": ["mont_avx2", "mont_avx512ifma"],
      "sources": ["<!@(node native/tools/sources.mjs core functions addon)"]
    }
  ]
}
