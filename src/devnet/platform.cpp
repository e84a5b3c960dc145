#include <golem/devnet/platform.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace golem::devnet {

namespace {

constexpr std::array main_networks = {std::string_view("mainnet"), std::string_view("polygon")};
constexpr std::array test_networks = {
    std::string_view("holesky"), std::string_view("hoodi"),  std::string_view("sepolia"), std::string_view("amoy"),
    std::string_view("goerli"),  std::string_view("mumbai"), std::string_view("rinkeby")};

bool is_one_of(const auto& names, std::string_view name)
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

Failure unparsable(std::string why) { return Failure(400, std::move(why), BodyKind::problem); }

std::optional<std::string> uppercase(const std::string& token)
{
    if (token != "GLM" && token != "tGLM" && token != "TGLM")
        return std::nullopt;
    return "Uppercase token names are not supported. Use lowercase glm or tglm instead of " + token;
}

// The daemon looks at names and at their parts in two places.
std::optional<Failure>
check(const std::string& driver, const std::string& network, const std::string& token, bool in_parts)
{
    const std::string place = in_parts ? "1" : "2";
    const bool is_main = is_one_of(main_networks, network);
    if (!is_main && !is_one_of(test_networks, network))
        return unparsable("Validate network failed (" + place + "): Invalid network name: " + network);
    if (driver != "erc20")
        return unparsable("Validate driver failed (" + place + "): Invalid driver name " + driver);
    if (const auto problem = uppercase(token))
        return unparsable("Validate token failed (" + place + "): " + *problem);
    const std::string wanted = is_main ? "glm" : "tglm";
    if (token != wanted)
        return unparsable(
            "Validate token failed (" + place + "): Token " + token + " does not match expected token " + wanted +
            " for driver erc20 and network " + network +
            ". Note that for test networks expected token name is tglm and for production networks it is glm");
    return std::nullopt;
}

} // namespace

Result<std::string> resolve_platform(const PlatformWish& wish)
{
    std::string driver;
    std::string network;
    std::string token;
    if (wish.name) {
        const auto first = wish.name->find('-');
        const auto last = wish.name->rfind('-');
        if (first == std::string::npos || first == last || wish.name->find('-', first + 1) != last)
            return unparsable("paymentPlatform must be of the form driver-network-token instead of " + *wish.name);
        driver = wish.name->substr(0, first);
        network = wish.name->substr(first + 1, last - first - 1);
        token = wish.name->substr(last + 1);
    } else {
        // A token that stands alone is looked at first.
        if (!wish.driver && !wish.network && wish.token) {
            if (auto problem = uppercase(*wish.token))
                return unparsable(std::move(*problem));
            if (*wish.token != "glm" && *wish.token != "tglm")
                return unparsable("Only glm or tglm token values are accepted vs " + *wish.token + " provided");
        }
        driver = wish.driver.value_or("erc20");
        network = wish.network.value_or(wish.token == "glm" ? "polygon" : "holesky");
        token = wish.token.value_or(is_one_of(main_networks, network) ? "glm" : "tglm");
    }
    if (const auto problem = check(driver, network, token, !wish.name))
        return *problem;
    return driver + "-" + network + "-" + token;
}

std::vector<std::string> known_platforms()
{
    std::vector<std::string> platforms;
    for (const auto network : main_networks)
        platforms.push_back("erc20-" + std::string(network) + "-glm");
    for (const auto network : test_networks)
        platforms.push_back("erc20-" + std::string(network) + "-tglm");
    return platforms;
}

PlatformParts parts_of_platform(const std::string& platform)
{
    const auto first = platform.find('-');
    const auto last = platform.rfind('-');
    PlatformParts parts;
    if (first == std::string::npos || first == last)
        return parts;
    parts.driver = platform.substr(0, first);
    parts.network = platform.substr(first + 1, last - first - 1);
    parts.token = platform.substr(last + 1) == "glm" ? "GLM" : "tGLM";
    return parts;
}

} // namespace golem::devnet
