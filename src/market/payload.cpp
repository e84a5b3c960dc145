#include <golem/market/payload.hpp>

#include <golem/core/error.hpp>
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

Payload& Payload::capability(std::string name)
{
    constraints_.push_back(Constraint::equals("golem.runtime.capabilities", std::move(name)).to_string());
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

Payload vm_image(std::string_view hash, std::string_view url)
{
    const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
    const bool length_is_known = hash.size() == 56 || hash.size() == 64 || hash.size() == 96 || hash.size() == 128;
    if (!length_is_known || !std::all_of(hash.begin(), hash.end(), is_hex))
        throw Error(
            Errc::invalid_input, "describe a payload",
            "the image's hash must be SHA3 in 56, 64, 96 or 128 hexadecimal digits, not \"" + std::string(hash) + "\"");
    if (!is_http(url))
        throw Error(
            Errc::invalid_input, "describe a payload",
            "the image's URL must begin with http:// or https://, not \"" + std::string(url) + "\"");
    Payload payload("vm");
    payload.property("golem.srv.comp.task_package", "hash:sha3:" + std::string(hash) + ":" + std::string(url));
    payload.property("golem.srv.comp.vm.package_format", "gvmkit-squash");
    return payload;
}

} // namespace golem
