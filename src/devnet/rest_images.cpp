// A registry of images, on the same port as the daemon: https://registry.golem.network as far as SDKs ask it.
#include <devnet/rest_call.hpp>

#include <golem/core/random.hpp>

#include <algorithm>
#include <cstdint>

namespace golem::devnet::detail {

namespace {

// Of the length of SHA3-224, and the same for the same tag.
std::string invented_hash(const std::string& tag)
{
    std::uint64_t seed = 14695981039346656037ULL;
    for (const char c : tag)
        seed = (seed ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return Random(seed).hex(56);
}

http::Response unknown(const std::string& what)
{
    Json body;
    body["detail"] = "Image " + what + " not found";
    return answer(404, body);
}

http::Response info(const Call& call)
{
    const auto tag = call.query.text("tag");
    const auto hash = call.query.text("hash");
    if (tag.has_value() == hash.has_value()) {
        Json body;
        body["detail"] = "Either tag or hash must be given";
        return answer(400, body);
    }
    const auto& wanted = tag ? *tag : *hash;
    const auto& images = call.host.options().images;
    const auto found = std::find_if(images.begin(), images.end(), [&](const RegisteredImage& image) {
        return tag ? image.tag == wanted : image.hash == wanted;
    });
    if (!images.empty() && found == images.end())
        return unknown(wanted);
    const auto sha3 = found != images.end() ? found->hash : tag ? invented_hash(wanted) : wanted;
    const auto url = found != images.end() ? found->url : "http://registry.devnet.invalid/download/" + sha3;
    Json body;
    body["http"] = url;
    body["https"] = url.starts_with("http://") ? "https://" + url.substr(7) : url;
    body["sha3"] = sha3;
    body["size"] = 0;
    return answer(200, body);
}

} // namespace

void add_image_routes(Routes& routes) { routes.add(http::Method::get, "/v1/image/info", info); }

} // namespace golem::devnet::detail
