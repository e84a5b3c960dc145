#pragma once

#include <golem/core/time_source.hpp>
#include <golem/properties/property_set.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace golem {

/// What a computation is allowed to do and to reach on a provider's machine: the computation manifest, with whatever
/// proves to providers that they may believe it. Given to Payload::manifest(). A value.
///
/// Providers let a manifest without a signature reach only what their own rules allow to everybody.
class Manifest {
public:
    /// The manifest as JSON text, or the same in base64. Throws Error invalid_input for what is neither, and for a
    /// manifest without `version` or `createdAt`, or with `payload` or `compManifest` of a wrong kind.
    explicit Manifest(std::string_view json_or_base64);

    /// Signed by its author: `signature` of the *base64* text and the chain of certificates (PEM, or either in base64).
    /// Throws Error invalid_input if one of them is empty.
    Manifest& sign(std::string_view signature, std::string_view certificates, std::string algorithm = "sha256");
    /// The golem certificate of a partner: its node descriptor, a JSON object. Throws Error invalid_input if it is
    /// none.
    Manifest& node_descriptor(std::string_view json);

    /// As providers get it.
    const std::string& base64() const noexcept { return base64_; }
    const std::string& json() const noexcept { return json_; }
    /// What it adds to a demand. Throws Error invalid_input if it is both signed and by a partner.
    properties::PropertySet properties() const;
    /// What it asks of runtimes: "inet" if it lets anything out; "manifest-support" too if it is signed.
    std::vector<std::string> capabilities() const;

private:
    std::string json_;
    std::string base64_;
    bool reaches_out_ = false;
    std::string signature_;
    std::string algorithm_;
    std::string certificates_;
    std::string node_descriptor_;
};

/// A manifest of the usual form, to be filled in.
struct ManifestParts {
    std::string name = "golem-service-manager";
    std::string version = "0.1.0";
    /// When it was made: required.
    Timestamp created{};
    /// From when on providers refuse it.
    Timestamp expires = Timestamp(std::chrono::sys_days(std::chrono::year(2100) / 1 / 1).time_since_epoch());
    /// The image: its hash (SHA3) and where it is.
    std::string image_hash{};
    std::string image_url{};
    /// What may be executed: regular expressions of whole commands, "run .*".
    std::vector<std::string> commands = {"run .*"};
    /// What may be reached: "https://api.example.com", "http://10.0.0.1:8080".
    std::vector<std::string> outbound_urls{};
    /// Anything may be reached, if the provider agrees.
    bool unrestricted_outbound = false;
};

/// Throws Error invalid_input, naming the member, for a URL that is not http, https, ws or wss or has a path, for a
/// hash that is none, for a missing time, and for outbound URLs along with unrestricted access.
Manifest make_manifest(const ManifestParts& parts);

} // namespace golem
