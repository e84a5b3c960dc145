#include <golem/market/payload.hpp>

#include <golem/core/error.hpp>
#include <golem/market/manifest.hpp>
#include <golem/properties/constraint.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace golem {

namespace {

using properties::Constraint;

std::string number_text(double value)
{
    char digits[64];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    return std::string(digits, end);
}

double checked_gib(std::string_view member, double gib)
{
    if (!std::isfinite(gib) || gib <= 0)
        throw Error(
            Errc::invalid_input, "describe a payload",
            std::string(member) + " is " + number_text(gib) + " GiB; it must be more than 0");
    return gib;
}

bool is_http(std::string_view url)
{
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (url.size() > scheme.size() && url.starts_with(scheme))
            return true;
    }
    return false;
}

} // namespace

Payload::Payload(std::string runtime) : runtime_(std::move(runtime))
{
    if (runtime_.empty())
        throw Error(Errc::invalid_input, "describe a payload", "the runtime's name is empty; \"vm\" is the usual one");
    constraints_.push_back(Constraint::equals("golem.runtime.name", runtime_).to_string());
}

Payload& Payload::min_memory(double gib)
{
    constraints_.push_back(Constraint::at_least("golem.inf.mem.gib", checked_gib("min_memory", gib)).to_string());
    return *this;
}

Payload& Payload::min_storage(double gib)
{
    constraints_.push_back(Constraint::at_least("golem.inf.storage.gib", checked_gib("min_storage", gib)).to_string());
    return *this;
}

Payload& Payload::min_threads(int threads)
{
    if (threads < 1)
        throw Error(
            Errc::invalid_input, "describe a payload",
            "min_threads is " + std::to_string(threads) + "; it must be at least 1");
    constraints_.push_back(Constraint::at_least("golem.inf.cpu.threads", threads).to_string());
    return *this;
}

Payload& Payload::capability(const std::string& name)
{
    if (name.empty() || name.find_first_of("*, \t\n") != std::string::npos)
        throw Error(
            Errc::invalid_input, "describe a payload",
            "\"" + name + "\" is not one capability of a runtime, such as \"vpn\", \"inet\" or \"manifest-support\"");
    auto condition = Constraint::equals("golem.runtime.capabilities", name).to_string();
    if (std::find(constraints_.begin(), constraints_.end(), condition) == constraints_.end())
        constraints_.push_back(std::move(condition));
    return *this;
}

Payload& Payload::manifest(const Manifest& allowed)
{
    properties_.merge(allowed.properties());
    for (const auto& name : allowed.capabilities())
        capability(name);
    return *this;
}

Payload& Payload::image(std::string_view tag_or_hash)
{
    const auto is_usual = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("._-/:").find(c) != std::string::npos;
    };
    if (tag_or_hash.empty() || !std::all_of(tag_or_hash.begin(), tag_or_hash.end(), is_usual) || is_http(tag_or_hash))
        throw Error(
            Errc::invalid_input, "describe a payload",
            "\"" + std::string(tag_or_hash) +
                "\" is neither an image's tag, such as \"golem/alpine:latest\", nor its SHA3 hash; with a URL the hash "
                "is needed as well");
    image_ = tag_or_hash;
    properties_.erase("golem.srv.comp.task_package");
    properties_.set("golem.srv.comp.vm.package_format", "gvmkit-squash");
    return *this;
}

Payload& Payload::image(std::string_view hash, std::string_view url)
{
    if (!is_image_hash(hash))
        throw Error(
            Errc::invalid_input, "describe a payload",
            "the image's hash must be SHA3 in 56, 64, 96 or 128 hexadecimal digits, not \"" + std::string(hash) + "\"");
    if (!is_http(url))
        throw Error(
            Errc::invalid_input, "describe a payload",
            "the image's URL must begin with http:// or https://, not \"" + std::string(url) + "\"");
    image_.clear();
    properties_.set("golem.srv.comp.task_package", "hash:sha3:" + std::string(hash) + ":" + std::string(url));
    properties_.set("golem.srv.comp.vm.package_format", "gvmkit-squash");
    return *this;
}

Payload& Payload::property(std::string name, properties::Value value)
{
    if (name.empty())
        throw Error(Errc::invalid_input, "describe a payload", "a property's name is empty");
    properties_.set(std::move(name), std::move(value));
    return *this;
}

Payload& Payload::constraint(std::string condition)
{
    // The daemon ignores what follows the first filter, so that a forgotten "&" would drop conditions silently: inside
    // of the demand's "(&…)" all of them count, and anything else that is left over is an error.
    static_cast<void>(Constraint::parse(condition));
    static_cast<void>(Constraint::parse("(&" + condition + ")"));
    constraints_.push_back(std::move(condition));
    return *this;
}

bool is_image_hash(std::string_view text) noexcept
{
    const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
    const bool length_is_known = text.size() == 56 || text.size() == 64 || text.size() == 96 || text.size() == 128;
    return length_is_known && std::all_of(text.begin(), text.end(), is_hex);
}

Payload vm_image(std::string_view hash, std::string_view url)
{
    Payload payload("vm");
    payload.image(hash, url);
    return payload;
}

Payload vm_image(std::string_view tag_or_hash)
{
    Payload payload("vm");
    payload.image(tag_or_hash);
    return payload;
}

} // namespace golem
