#include "identity_codec.hpp"

#include "json_codec.hpp"

namespace golem::yagna::codec {

Identity decode_identity(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto root = document.root();
    Identity result;
    result.node = root.at("identity").string();
    result.name = root.string_or("name", {});
    result.role = root.string_or("role", {});
    return result;
}

Version decode_version(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto current = document.root().at("current");
    Version result;
    result.version = current.at("version").string();
    result.name = current.string_or("name", {});
    return result;
}

} // namespace golem::yagna::codec
