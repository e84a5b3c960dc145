#pragma once

#include <golem/properties/property_set.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace golem {

class Manifest;

/// What a service needs to run: the runtime, its image, and the machine. A value.
class Payload {
public:
    /// A payload of any runtime, by the name providers offer it under (`golem.runtime.name`).
    explicit Payload(std::string runtime);

    /// The least memory, storage (GiB, more than zero) and processor threads (at least 1) the machine must have.
    Payload& min_memory(double gib);
    Payload& min_storage(double gib);
    Payload& min_threads(int threads);
    /// A capability the runtime must offer (`golem.runtime.capabilities`): "vpn" for networks, "inet" for outbound
    /// access, "manifest-support" for signed manifests, "!exp:gpu" and the like. Once is enough. Throws Error
    /// invalid_input for an empty name or one that cannot be written in a constraint.
    Payload& capability(const std::string& name);
    /// What the service is allowed to do and to reach, see manifest.hpp; asks for the capabilities that it takes.
    Payload& manifest(const Manifest& allowed);
    /// A property of our demand, such as `golem.srv.comp.task_package`.
    Payload& property(std::string name, properties::Value value);
    /// A further condition on the offer, in the constraint language: "(golem.inf.cpu.cores>=4)". Throws Error
    /// invalid_input if it does not parse.
    Payload& constraint(std::string condition);

    /// An image that a registry knows by this tag or hash; the library asks the registry before it looks for a
    /// provider. Throws Error invalid_input for what is neither.
    Payload& image(std::string_view tag_or_hash);
    /// The image by its hash (SHA3) and the URL that providers load it from. Throws as vm_image().
    Payload& image(std::string_view hash, std::string_view url);

    const std::string& runtime() const noexcept { return runtime_; }
    /// The tag or hash that a registry has to be asked for; empty if there is none, or once it was.
    const std::string& image_to_resolve() const noexcept { return image_; }
    const properties::PropertySet& properties() const noexcept { return properties_; }
    /// Every condition, each in parentheses, in the order given.
    const std::vector<std::string>& constraints() const noexcept { return constraints_; }

    bool operator==(const Payload&) const = default;

private:
    std::string runtime_;
    properties::PropertySet properties_;
    std::vector<std::string> constraints_;
    std::string image_;
};

/// A virtual machine from an image: its SHA3 hash (hex; the length tells which) and the URL providers load it from.
/// Throws Error invalid_input if the hash is not hex of 56, 64, 96 or 128 digits or the URL is not http(s).
Payload vm_image(std::string_view hash, std::string_view url);

/// A virtual machine from an image of a registry (ServiceManagerOptions::registry): by its tag, "user/name:version", or
/// by its hash alone. Throws Error invalid_input for what is neither.
Payload vm_image(std::string_view tag_or_hash);

/// Whether this is SHA3 in 56, 64, 96 or 128 hexadecimal digits.
bool is_image_hash(std::string_view text) noexcept;

} // namespace golem
