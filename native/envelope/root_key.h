#ifndef NATIVE_ENVELOPE_ROOT_KEY_H_
#define NATIVE_ENVELOPE_ROOT_KEY_H_

#include <string>

#include "core/secret_bytes.h"
#include "core/status.h"

namespace pairmint::envelope {

// Reads the 32 raw bytes of a root key file. kRootKeyMissing if there is no
// such file; kRootKeyRefused, with a message that says what mends it, if others
// than its owner may read it or its length is not 32.
core::Status ReadRootKey(const std::string &path, core::SecretBytes *out);

// Makes a root key file of mode 0600 with fresh random bytes. The file appears
// whole or not at all and is on disk on return; one that exists is left as it
// is and `created` is false.
core::Status CreateRootKey(const std::string &path, bool *created);

}  // namespace pairmint::envelope

#endif  // NATIVE_ENVELOPE_ROOT_KEY_H_
