#pragma once

#include <golem/properties/property_set.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace golem {

/// What a service needs to run: the runtime, its image, and the machine. A value.
class Payload {
public:
    /// A payload of any runtime, by the name providers offer it under (`golem.runtime.name`).
    explicit Payload(std::string runtime);

    /// The least memory, storage (GiB, more than zero) and processor threads (at least 1) the machine must have.
    Payload& min_memory(double gib);
    Payload& min_storage(double gib);
    Payload& min_threads(int threads);
    /// A capability the runtime must offer, e.g. "vpn" (`golem.runtime.capabilities`).
    Payload& capability(std::string name);
    /// A property of our demand, such as `golem.srv.comp.task_package`.
    Payload& property(std::string name, properties::Value value);
    /// A further condition on the offer, in the constraint language: "(golem.inf.cpu.cores>=4)". Throws Error
    /// invalid_input if it does not parse.
    Payload& constraint(std::string condition);

    const std::string& runtime() const noexcept { return runtime_; }
    const properties::PropertySet& properties() const noexcept { return properties_; }
    /// Every condition, each in parentheses, in the order given.
    const std::vector<std::string>& constraints() const noexcept { return constraints_; }

    bool operator==(const Payload&) const = default;

private:
    std::string runtime_;
    properties::PropertySet properties_;
    std::vector<std::string> constraints_;
};

/// A virtual machine from an image: its SHA3 hash (hex; the length tells which) and the URL providers load it from.
/// Throws Error invalid_input if the hash is not hex of 56, 64, 96 or 128 digits or the URL is not http(s).
Payload vm_image(std::string_view hash, std::string_view url);

} // namespace golem
