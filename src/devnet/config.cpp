#include <devnet/config.hpp>

#include <golem/core/error.hpp>
#include <golem/properties/json.hpp>

#include <nlohmann/json.hpp>

#include <functional>
#include <map>

namespace golem::devnet {

namespace {

using Json = nlohmann::json;
using Options = provider::ProviderOptions;

[[noreturn]] void refuse(const std::string& where, const Json& value, const std::string& wanted)
{
    throw Error(
        Errc::invalid_input, "read the devnet's configuration",
        where + " is " + value.dump() + ", but must be " + wanted);
}

using Reader = std::function<void(const std::string& where, const Json& value, Options& into)>;

Reader text(std::string Options::* member)
{
    return [member](const std::string& where, const Json& value, Options& into) {
        if (!value.is_string())
            refuse(where, value, "a text");
        into.*member = value.get<std::string>();
    };
}

template <typename Number>
Reader number(Number Options::* member)
{
    return [member](const std::string& where, const Json& value, Options& into) {
        const bool is_right = std::is_integral_v<Number> ? value.is_number_integer() : value.is_number();
        if (!is_right || value.get<double>() < 0)
            refuse(
                where, value, std::is_integral_v<Number> ? "a whole number of at least 0" : "a number of at least 0");
        into.*member = value.get<Number>();
    };
}

Reader seconds(Duration Options::* member)
{
    return [member](const std::string& where, const Json& value, Options& into) {
        if (!value.is_number() || value.get<double>() < 0 || value.get<double>() > 1e9)
            refuse(where, value, "a number of seconds from 0 to 1e9");
        into.*member = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value.get<double>()));
    };
}

void read_platforms(const std::string& where, const Json& value, Options& into)
{
    into.platforms.clear();
    if (!value.is_array() || value.empty())
        refuse(where, value, "a list of payment platforms such as [\"erc20-hoodi-tglm\"]");
    for (const auto& platform : value) {
        if (!platform.is_string())
            refuse(where, platform, "a payment platform such as \"erc20-hoodi-tglm\"");
        into.platforms.push_back(platform.get<std::string>());
    }
}

void read_properties(const std::string& where, const Json& value, Options& into)
{
    if (!value.is_object())
        refuse(where, value, "an object of properties");
    into.properties.merge(properties::from_json(value));
}

const std::map<std::string, Reader>& readers()
{
    static const std::map<std::string, Reader> all = {
        {"name", text(&Options::name)},
        {"subnet", text(&Options::subnet)},
        {"runtime", text(&Options::runtime)},
        {"runtime_version", text(&Options::runtime_version)},
        {"platforms", read_platforms},
        {"properties", read_properties},
        {"memory_gib", number(&Options::memory_gib)},
        {"storage_gib", number(&Options::storage_gib)},
        {"cpu_threads", number(&Options::cpu_threads)},
        {"cpu_price", number(&Options::cpu_price)},
        {"duration_price", number(&Options::duration_price)},
        {"start_price", number(&Options::start_price)},
        {"capacity", number(&Options::capacity)},
        {"negotiation_latency", seconds(&Options::negotiation_latency)},
        {"activity_latency", seconds(&Options::activity_latency)},
        {"command_latency", seconds(&Options::command_latency)},
        {"debit_note_interval", seconds(&Options::debit_note_interval)},
        {"accept_timeout", seconds(&Options::accept_timeout)},
        {"payment_timeout", seconds(&Options::payment_timeout)},
        {"idle_limit", seconds(&Options::idle_limit)},
    };
    return all;
}

Options read_provider(const std::string& where, const Json& json, const Options& defaults)
{
    if (!json.is_object())
        refuse(where, json, "an object that describes a provider");
    auto options = defaults;
    for (const auto& [key, value] : json.items()) {
        const auto reader = readers().find(key);
        if (reader == readers().end()) {
            std::string known;
            for (const auto& [name, unused] : readers())
                known += (known.empty() ? "" : ", ") + name;
            throw Error(
                Errc::invalid_input, "read the devnet's configuration",
                where + "." + key + " is not known; a provider has: " + known);
        }
        reader->second(where + "." + key, value, options);
    }
    return options;
}

} // namespace

std::vector<Options> read_providers(std::string_view json_text, const Options& defaults)
{
    Json json;
    try {
        json = Json::parse(json_text);
    } catch (const Json::parse_error& error) {
        throw Error(
            Errc::invalid_input, "read the devnet's configuration", std::string("it is no JSON: ") + error.what());
    }
    if (!json.is_object() || !json.contains("providers") || !json["providers"].is_array())
        throw Error(
            Errc::invalid_input, "read the devnet's configuration",
            "it must be an object with a list of providers: {\"providers\": [{\"name\": \"fast\"}]}");
    for (const auto& [key, value] : json.items()) {
        if (key != "providers")
            throw Error(
                Errc::invalid_input, "read the devnet's configuration",
                key + " is not known; there is only: providers");
    }
    std::vector<Options> providers;
    for (const auto& provider : json["providers"])
        providers.push_back(read_provider("providers[" + std::to_string(providers.size()) + "]", provider, defaults));
    return providers;
}

NamedProgram read_runtime(std::string_view text)
{
    const auto end = text.find('=');
    if (end == std::string_view::npos || end == 0 || end + 1 == text.size())
        throw Error(
            Errc::invalid_input, "read a runtime",
            "\"" + std::string(text) + "\" is not NAME=PROGRAM, such as \"erigon=/usr/local/bin/erigon-runtime\"");
    NamedProgram runtime;
    runtime.name = text.substr(0, end);
    runtime.program = text.substr(end + 1);
    return runtime;
}

std::string subnet_of(const std::vector<Options>& providers, const std::string& otherwise)
{
    return providers.empty() ? otherwise : providers.front().subnet;
}

std::string quoted_for_shell(std::string_view text)
{
    std::string word = "'";
    for (const char c : text) {
        if (c == '\'')
            word += "'\\''";
        else
            word += c;
    }
    return word + "'";
}

} // namespace golem::devnet
