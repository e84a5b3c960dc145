#include <golem/market/manifest.hpp>

#include <golem/core/error.hpp>
#include <golem/core/timestamp.hpp>
#include <golem/market/payload.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <optional>
#include <set>

namespace golem {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

[[noreturn]] void refuse(const std::string& explanation)
{
    throw Error(Errc::invalid_input, "describe a manifest", explanation);
}

std::string to_base64(std::string_view text)
{
    std::string result;
    for (std::size_t place = 0; place < text.size(); place += 3) {
        std::uint32_t bits = 0;
        const auto count = std::min<std::size_t>(3, text.size() - place);
        for (std::size_t index = 0; index < 3; ++index)
            bits = (bits << 8U) | (index < count ? static_cast<unsigned char>(text[place + index]) : 0U);
        for (std::size_t index = 0; index < 4; ++index)
            result += index <= count ? letters[(bits >> (18 - 6 * index)) & 63U] : '=';
    }
    return result;
}

// Nothing for what is no base64. Line breaks do not matter.
std::optional<std::string> from_base64(std::string_view text)
{
    std::string result;
    std::uint32_t bits = 0;
    int count = 0;
    std::size_t digits = 0;
    bool padded = false;
    for (const char c : text) {
        if (c == '\n' || c == '\r')
            continue;
        ++digits;
        if (c == '=') {
            padded = true;
            continue;
        }
        const auto value = letters.find(c);
        if (value == std::string_view::npos || padded)
            return std::nullopt;
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            result += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xFFU);
        }
    }
    if (digits == 0 || digits % 4 != 0)
        return std::nullopt;
    return result;
}

// What is meant to travel in base64 may be given so already.
std::string in_base64(std::string_view text)
{
    if (!from_base64(text))
        return to_base64(text);
    std::string one_line(text);
    std::erase_if(one_line, [](char c) { return c == '\n' || c == '\r'; });
    return one_line;
}

Json parsed(const std::string& text) { return Json::parse(text, nullptr, false); }

// Of `compManifest.net.inet.out`; null if there is none.
Json outbound_of(const Json& manifest)
{
    const Json* place = &manifest;
    for (const char* name : {"compManifest", "net", "inet", "out"}) {
        const auto found = place->find(name);
        if (found == place->end())
            return nullptr;
        place = &*found;
        if (!place->is_object())
            refuse(std::string("its member \"") + name + "\" must be an object");
    }
    return *place;
}

void check(const Json& manifest)
{
    const auto is_date = [](const Json& value) {
        return value.is_string() && try_parse_timestamp(value.get<std::string>());
    };
    if (!manifest.contains("version") || !manifest["version"].is_string())
        refuse("it lacks \"version\", a text such as \"0.1.0\"");
    if (!manifest.contains("createdAt") || !is_date(manifest["createdAt"]))
        refuse("it lacks \"createdAt\", a time such as \"2026-01-01T00:00:00Z\"");
    if (manifest.contains("expiresAt") && !is_date(manifest["expiresAt"]))
        refuse("its \"expiresAt\" must be a time such as \"2100-01-01T00:00:00Z\"");
    if (manifest.contains("payload") && !manifest["payload"].is_array())
        refuse("its \"payload\" must be a list of images");
    const auto outbound = outbound_of(manifest);
    if (outbound.is_object() && outbound.contains("urls") && !outbound["urls"].is_array())
        refuse("its outbound \"urls\" must be a list");
}

bool lets_out(const Json& manifest)
{
    const auto outbound = outbound_of(manifest);
    if (!outbound.is_object())
        return false;
    const auto urls = outbound.find("urls");
    return outbound.contains("unrestricted") || (urls != outbound.end() && !urls->empty());
}

// "https" of "https://host:1".
std::string scheme_of(const std::string& url)
{
    const auto end = url.find("://");
    const auto scheme = url.substr(0, end);
    const bool is_known = scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss";
    const auto host = end == std::string::npos ? std::string() : url.substr(end + 3);
    const bool is_host = !host.empty() && std::none_of(host.begin(), host.end(), [](char c) {
        return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '?' || c == '#' || c == '@';
    });
    if (!is_known || !is_host)
        refuse(
            "outbound_urls holds \"" + url +
            "\"; it must be a scheme (http, https, ws, wss) and a host, without a path: \"https://api.example.com\"");
    return scheme;
}

} // namespace

Manifest::Manifest(std::string_view json_or_base64) : json_(json_or_base64)
{
    auto manifest = parsed(json_);
    if (!manifest.is_object()) {
        const auto decoded = from_base64(json_or_base64);
        json_ = decoded.value_or(std::string());
        manifest = parsed(json_);
    }
    if (!manifest.is_object())
        refuse("it is neither a JSON object nor the base64 of one");
    check(manifest);
    reaches_out_ = lets_out(manifest);
    base64_ = to_base64(json_);
}

Manifest& Manifest::sign(std::string_view signature, std::string_view certificates, std::string algorithm)
{
    if (signature.empty() || certificates.empty() || algorithm.empty())
        refuse("a signed one needs its signature, the certificates and the algorithm");
    signature_ = in_base64(signature);
    certificates_ = in_base64(certificates);
    algorithm_ = std::move(algorithm);
    return *this;
}

Manifest& Manifest::node_descriptor(std::string_view json)
{
    const auto descriptor = parsed(std::string(json));
    if (!descriptor.is_object())
        refuse("the node descriptor must be a JSON object");
    node_descriptor_ = descriptor.dump();
    return *this;
}

properties::PropertySet Manifest::properties() const
{
    if (!signature_.empty() && !node_descriptor_.empty())
        refuse("it is signed and has a node descriptor; providers take one of the two");
    properties::PropertySet set;
    set.set("golem.srv.comp.payload", base64_);
    if (!signature_.empty()) {
        set.set("golem.srv.comp.payload.sig", signature_);
        set.set("golem.srv.comp.payload.sig.algorithm", algorithm_);
        set.set("golem.srv.comp.payload.cert", certificates_);
    }
    if (!node_descriptor_.empty())
        set.set("golem.!exp.gap-31.v0.node.descriptor", properties::Value::raw(node_descriptor_));
    return set;
}

std::vector<std::string> Manifest::capabilities() const
{
    std::vector<std::string> names;
    if (reaches_out_)
        names.emplace_back("inet");
    if (!signature_.empty())
        names.emplace_back("manifest-support");
    return names;
}

Manifest make_manifest(const ManifestParts& parts)
{
    if (parts.created == Timestamp())
        refuse("created is missing: the time at which it is made");
    if (!parts.image_hash.empty() && !is_image_hash(parts.image_hash))
        refuse("image_hash is \"" + parts.image_hash + "\"; it must be SHA3 in hexadecimal digits");
    if (parts.image_hash.empty() != parts.image_url.empty())
        refuse("image_hash and image_url belong together");
    if (parts.unrestricted_outbound && !parts.outbound_urls.empty())
        refuse("outbound_urls restricts what unrestricted_outbound allows: choose one");
    Json manifest;
    manifest["version"] = parts.version;
    manifest["createdAt"] = format_timestamp(parts.created, 6);
    manifest["expiresAt"] = format_timestamp(parts.expires, 6);
    manifest["metadata"]["name"] = parts.name;
    manifest["metadata"]["version"] = parts.version;
    manifest["payload"] = Json::array();
    if (!parts.image_hash.empty()) {
        Json image;
        image["platform"]["arch"] = "x86_64";
        image["platform"]["os"] = "linux";
        image["hash"] = "sha3:" + parts.image_hash;
        image["urls"] = Json::array({parts.image_url});
        manifest["payload"].push_back(std::move(image));
    }
    auto& computation = manifest["compManifest"];
    computation["version"] = parts.version;
    computation["script"]["commands"] = parts.commands;
    computation["script"]["match"] = "regex";
    if (parts.unrestricted_outbound) {
        auto& outbound = computation["net"]["inet"]["out"];
        outbound["protocols"] = Json::array({"http", "https", "ws", "wss"});
        outbound["unrestricted"]["urls"] = true;
    } else if (!parts.outbound_urls.empty()) {
        std::set<std::string> protocols;
        for (const auto& url : parts.outbound_urls)
            protocols.insert(scheme_of(url));
        auto& outbound = computation["net"]["inet"]["out"];
        outbound["protocols"] = protocols;
        outbound["urls"] = parts.outbound_urls;
    }
    return Manifest(manifest.dump());
}

} // namespace golem
