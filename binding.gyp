{
  "targets": [
    {
      "target_name": "vfio_migrate",
      "sources": ["<!@(cat native/sources.txt)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=9",
        "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      # The 64-bit names are the plain ones on the platforms that VFIO has; without this the calls are open64, pread64.
      "defines!": ["_FILE_OFFSET_BITS=64"],
      "cflags!": ["-O3"],
      "cflags": ["-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fvisibility-inlines-hidden"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fexceptions"],
      # A lane may still be in a call when its worker has ended: the code must stay where it is.
      "ldflags": ["-Wl,-z,nodelete", "-Wl,--as-needed"]
    }
  ]
}
