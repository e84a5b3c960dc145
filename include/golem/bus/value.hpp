// The bodies of calls on the bus are FlexBuffers.
#pragma once

#include <golem/flex/value.hpp>

namespace golem::bus {

using flex::decode;
using flex::encode;
using flex::from_json;
using flex::to_json;
using flex::Value;

} // namespace golem::bus
