{
  # Shared by the addon (binding.gyp) and the tests' addon (test/native/binding.gyp).
  "variables": { "root%": "." },
  "target_defaults": {
    "include_dirs": [
      "<(root)/native",
      "<!(node -p \"require('node-addon-api').include_dir\")"
    ],
    "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      # Checks of indices and of empty containers in libstdc++: an addon that goes wrong ends.
      "_GLIBCXX_ASSERTIONS"],
    "cflags": ["-fvisibility=hidden", "-ffile-prefix-map=<(module_root_dir)=.",
      "-fstack-protector-strong"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-Wno-missing-field-initializers"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "OTHER_CFLAGS": ["-fstack-protector-strong"],
      "MACOSX_DEPLOYMENT_TARGET": "11.0"
    },
    "msvs_settings": {
      "VCCLCompilerTool": { "AdditionalOptions": ["/std:c++20", "/guard:cf"] },
      "VCLinkerTool": { "AdditionalOptions": ["/guard:cf"] }
    },
    "conditions": [
      # Without -z now a runtime that lacks OpenSSL's symbols (Bun, Deno, Electron) loads the addon
      # and dies at the first call; with it require() throws and lib/native/addon.ts can explain.
      ["OS=='linux'", {
        # Level 3 asks for a newer compiler than g++ 10. core/fortify_floor.cc has the functions.
        "cflags": ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-fstack-clash-protection"],
        "ldflags": [
          "-Wl,-z,now", "-Wl,-z,relro", "-Wl,--build-id=none",
          "-Wl,--version-script=<(module_root_dir)/<(root)/native/exports.map"
        ]
      }],
      ["OS=='linux' and target_arch=='x64'", { "cflags": ["-fcf-protection=full"] }],
      ["OS=='linux' and target_arch=='arm64'", { "cflags": ["-mbranch-protection=standard"] }]
    ]
  },
  "targets": [
    {
      # An instruction set is a library of its own: GYP has no flags per file, and the linker may
      # otherwise keep an AVX-512 copy of a function that every CPU runs.
      "target_name": "mont_avx512ifma",
      "type": "static_library",
      "sources": ["<!@(node <(root)/native/tools/sources.mjs avx512ifma)"],
      "conditions": [
        ["target_arch=='x64'", { "cflags_cc": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512ifma"] }]
      ]
    },
    {
      "target_name": "mont_avx2",
      "type": "static_library",
      "sources": ["<!@(node <(root)/native/tools/sources.mjs avx2)"],
      "conditions": [["target_arch=='x64'", { "cflags_cc": ["-mavx2"] }]]
    }
  ]
}
