#pragma once

#include <golem/yagna/activity.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The activity API's JSON; see market_codec.hpp for the rules.
namespace golem::yagna::codec {

std::string encode_activity_request(const AgreementId& agreement);
/// The script is JSON text within a JSON string.
std::string encode_script(const std::string& script);

/// Either form of the answer: the id alone, or an object with it.
ActivityId decode_created_activity(std::string_view operation, const std::string& body);
std::vector<CommandResult> decode_results(std::string_view operation, const std::string& body);
/// The result of command `index`, without output and message, in a list of results that was cut off anywhere; nothing if
/// it was cut off before that.
std::optional<CommandResult> decode_result_head(const std::string& beginning, int index);
/// The data of one server-sent event; nothing for a kind that is not known here.
std::optional<BatchEvent> decode_batch_event(std::string_view operation, const std::string& data);
ActivityState decode_state(std::string_view operation, const std::string& body);
ActivityUsage decode_usage(std::string_view operation, const std::string& body);
std::vector<ActivityId> decode_activity_ids(std::string_view operation, const std::string& body);

} // namespace golem::yagna::codec
