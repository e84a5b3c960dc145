#pragma once

#include <golem/yagna/identity.hpp>

#include <string>
#include <string_view>

/// The JSON of identity and version; see market_codec.hpp for the rules.
namespace golem::yagna::codec {

Identity decode_identity(std::string_view operation, const std::string& body);
Version decode_version(std::string_view operation, const std::string& body);

} // namespace golem::yagna::codec
