#pragma once

#include <string>

namespace golem::http {

/// How the other side of an https URL proves that it is the host of that URL. The machine's own authorities are trusted
/// (those of OpenSSL: SSL_CERT_FILE and SSL_CERT_DIR change them); the certificate must be made for the host, and valid
/// today.
struct TlsOptions {
    /// A file (PEM) with the certificates of further authorities, or a self-signed one: for a daemon behind a
    /// certificate of one's own.
    std::string ca_file{};
    /// False: only those of `ca_file` are trusted.
    bool trust_system_authorities = true;
    /// Believes whoever answers: anybody on the way reads the app key, and can spend with it. For experiments only.
    bool insecure_accept_any_certificate = false;

    bool operator==(const TlsOptions&) const = default;
};

} // namespace golem::http
