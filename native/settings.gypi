{
  # Shared by the addon (binding.gyp) and the tests' addon (test/native/binding.gyp).
  "variables": { "root%": "." },
  "target_defaults": {
    "include_dirs": [
      "<(root)/native",
      "<!(node -p \"require('node-addon-api').include_dir\")"
    ],
    "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
    "cflags": ["-fvisibility=hidden", "-ffile-prefix-map=<(module_root_dir)=."],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-Wno-missing-field-initializers"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "11.0"
    },
    "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["/std:c++20"] } },
    "conditions": [
      # Without -z now a runtime that lacks OpenSSL's symbols (Bun, Deno, Electron) loads the addon
      # and dies at the first call; with it require() throws and lib/native.ts can explain.
      ["OS=='linux'", { "ldflags": [
        "-Wl,-z,now", "-Wl,-z,relro", "-Wl,--build-id=none",
        "-Wl,--version-script=<(module_root_dir)/<(root)/native/exports.map"
      ] }]
    ]
  },
  "targets": [
    {
      # An instruction set is a library of its own: GYP has no flags per file, and the linker may
      # otherwise keep an AVX-512 copy of a function that every CPU runs.
      "target_name": "mont_avx512ifma",
      "type": "static_library",
      "sources": ["<!@(node <(root)/native/sources.mjs avx512ifma)"],
      "conditions": [
        ["target_arch=='x64'", { "cflags_cc": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512ifma"] }]
      ]
    }
  ]
}
