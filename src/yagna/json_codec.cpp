#include "json_codec.hpp"

#include "error_body.hpp"

#include <golem/core/timestamp.hpp>
#include <golem/properties/json.hpp>

#include <cmath>
#include <utility>

namespace golem::yagna::codec {

namespace {

/// The daemon's own reader stops at 128; what is deeper was not written by it, and would exhaust the stack on writing.
constexpr std::size_t deepest_nesting = 200;
constexpr std::size_t excerpt_length = 80;

/// The beginning of a text of strangers, fit for an error message.
std::string excerpt(std::string_view text)
{
    std::string result;
    for (const char c : text.substr(0, excerpt_length))
        result += c >= ' ' && c <= '~' ? c : '.';
    return text.size() > excerpt_length ? result + "…" : result;
}

/// Byte position of the first bracket that is nested too deeply.
std::optional<std::size_t> too_deep(std::string_view text)
{
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (in_string) {
            if (c == '\\')
                ++at;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > deepest_nesting)
                return at;
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return std::nullopt;
}

std::string join(const std::string& path, std::string_view key)
{
    std::string result = path;
    if (!result.empty())
        result += '.';
    return result.append(key);
}

std::string join(const std::string& path, std::size_t index) { return path + "[" + std::to_string(index) + "]"; }

/// Finds the source text of a floating-point number.
class NumberFinder : public nlohmann::json_sax<Json> {
public:
    explicit NumberFinder(const std::string& path) : wanted_(path) {}

    const std::string& text() const noexcept { return text_; }

    bool null() override { return skip(); }
    bool boolean(bool) override { return skip(); }
    bool number_integer(number_integer_t) override { return skip(); }
    bool number_unsigned(number_unsigned_t) override { return skip(); }
    bool string(string_t&) override { return skip(); }
    bool binary(binary_t&) override { return skip(); }

    bool number_float(number_float_t, const string_t& source) override
    {
        // The last one of several members of one name, as in the parsed document.
        if (next_path() == wanted_)
            text_ = source;
        return true;
    }

    bool start_object(std::size_t) override
    {
        frames_.push_back(Frame{next_path(), {}, 0, false});
        return true;
    }

    bool start_array(std::size_t) override
    {
        frames_.push_back(Frame{next_path(), {}, 0, true});
        return true;
    }

    bool key(string_t& name) override
    {
        frames_.back().key = name;
        return true;
    }

    bool end_object() override
    {
        frames_.pop_back();
        return true;
    }

    bool end_array() override { return end_object(); }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

private:
    struct Frame {
        std::string path;
        std::string key;
        std::size_t next;
        bool is_list;
    };

    std::string next_path()
    {
        if (frames_.empty())
            return {};
        auto& frame = frames_.back();
        return frame.is_list ? join(frame.path, frame.next++) : join(frame.path, frame.key);
    }

    bool skip()
    {
        if (!frames_.empty())
            ++frames_.back().next;
        return true;
    }

    const std::string& wanted_;
    std::string text_;
    std::vector<Frame> frames_;
};

[[noreturn]] void fail(const std::string& operation, std::string explanation)
{
    throw Error(Errc::protocol, operation, std::move(explanation));
}

} // namespace

Document::Document(std::string_view operation, const std::string& body) : operation_(operation), body_(body)
{
    if (body.empty())
        fail(operation_, "the daemon's answer is empty where JSON was expected");
    if (const auto at = too_deep(body))
        fail(
            operation_,
            "the daemon's answer is nested too deeply at byte " + std::to_string(*at) + ": " + excerpt(body));
    const auto complain = [&](const std::string& what) {
        fail(
            operation_, "the daemon's answer is not JSON, or not all of it arrived: " + what + " (of " +
                            std::to_string(body.size()) + "): " + excerpt(body));
    };
    try {
        json_ = Json::parse(body);
    } catch (const Json::parse_error& error) {
        complain("error at byte " + std::to_string(error.byte));
    } catch (const Json::exception& error) {
        complain(error.what());
    }
}

Node Document::root() const { return Node(*this, json_, {}); }

std::string Document::number_text(const std::string& path) const
{
    NumberFinder finder(path);
    Json::sax_parse(body_, &finder);
    return finder.text();
}

Node Node::at(std::string_view key) const
{
    if (auto member = find(key))
        return *std::move(member);
    const bool is_there = json_->find(key) != json_->end();
    fail(
        document_->operation(), "the daemon's answer has " + join(path_, key) + (is_there ? " null" : " missing") +
                                    ": " + excerpt(encode(*json_)));
}

std::optional<Node> Node::find(std::string_view key) const
{
    if (!json_->is_object())
        refuse("an object");
    const auto found = json_->find(key);
    if (found == json_->end() || found->is_null())
        return std::nullopt;
    return Node(*document_, *found, join(path_, key));
}

std::vector<Node> Node::items() const
{
    if (!json_->is_array())
        refuse("a list");
    std::vector<Node> result;
    result.reserve(json_->size());
    for (const auto& item : *json_)
        result.emplace_back(*document_, item, join(path_, result.size()));
    return result;
}

const std::string& Node::string() const
{
    if (!json_->is_string())
        refuse("a string");
    return json_->get_ref<const std::string&>();
}

bool Node::boolean() const
{
    if (!json_->is_boolean())
        refuse("true or false");
    return json_->get<bool>();
}

std::int64_t Node::integer() const
{
    constexpr double exact = 9007199254740992.0; // 2^53
    if (json_->is_number_unsigned() && json_->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
        refuse("an integer of 64 bits");
    if (json_->is_number_integer())
        return json_->get<std::int64_t>();
    if (json_->is_number_float()) {
        const auto value = json_->get<double>();
        if (value == std::trunc(value) && std::fabs(value) <= exact)
            return static_cast<std::int64_t>(value);
    }
    refuse("an integer");
}

double Node::number() const
{
    if (!json_->is_number())
        refuse("a number");
    return json_->get<double>();
}

std::vector<double> Node::numbers() const
{
    std::vector<double> result;
    for (const auto& item : items())
        result.push_back(item.number());
    return result;
}

std::vector<std::string> Node::strings() const
{
    std::vector<std::string> result;
    for (const auto& item : items())
        result.push_back(item.string());
    return result;
}

std::string Node::amount_text() const
{
    if (json_->is_string())
        return string();
    if (json_->is_number_float())
        return document_->number_text(path_);
    return json_->is_number() ? json_->dump() : std::string();
}

Amount Node::amount() const
{
    if (const auto amount = Amount::try_parse(amount_text()))
        return *amount;
    refuse("an amount");
}

Amount Node::amount_cut() const
{
    const auto text = amount_text();
    const auto point = text.find('.');
    if (point == std::string::npos || text.find_first_not_of("0123456789", point + 1) != std::string::npos)
        return amount();
    if (const auto amount = Amount::try_parse(text.substr(0, point + 1 + Amount::decimals)))
        return *amount;
    refuse("an amount");
}

Timestamp Node::timestamp() const
{
    if (const auto when = try_parse_timestamp(string()))
        return *when;
    refuse("a time (RFC 3339)");
}

properties::PropertySet Node::properties() const
{
    if (!json_->is_object())
        refuse("an object");
    try {
        return properties::from_json(*json_);
    } catch (const Error&) {
        refuse("properties");
    }
}

std::string Node::bytes() const
{
    if (json_->is_string())
        return string();
    if (!json_->is_array())
        refuse("a list");
    std::string result;
    result.reserve(json_->size());
    // There may be millions: a Node is made only for what is refused.
    for (const auto& element : *json_) {
        const auto* byte = element.get_ptr<const Json::number_integer_t*>();
        if (!byte || *byte < 0 || *byte > 255)
            items()[result.size()].refuse("a byte");
        result += static_cast<char>(static_cast<unsigned char>(*byte));
    }
    return result;
}

std::string Node::string_or(std::string_view key, std::string_view otherwise) const
{
    const auto member = find(key);
    return member ? member->string() : std::string(otherwise);
}

std::optional<Timestamp> Node::optional_timestamp(std::string_view key) const
{
    const auto member = find(key);
    return member ? std::optional(member->timestamp()) : std::nullopt;
}

Reason Node::reason() const
{
    // Texts of the other side, which may have put in anything.
    if (json_->is_string())
        return Reason(string());
    const auto message = find("message");
    Reason result(message && message->json().is_string() ? message->string() : std::string());
    result.extra() = properties();
    result.extra().erase("message");
    return result;
}

DemandOfferBase Node::content() const
{
    DemandOfferBase result;
    result.properties = at("properties").properties();
    result.constraints = at("constraints").string();
    return result;
}

void Node::refuse(std::string_view expected) const
{
    const auto where = path_.empty() ? std::string("the daemon's answer") : "the daemon's answer has at " + path_;
    fail(
        document_->operation(), where + (path_.empty() ? " is " : " ") + json_->type_name() + " " +
                                    excerpt(encode(*json_)) + " where " + std::string(expected) + " was expected");
}

std::string decode_id(std::string_view operation, const std::string& body)
{
    const Document document(operation, body);
    const auto root = document.root();
    const auto& id = root.string();
    if (id.empty())
        root.refuse("an id");
    return id;
}

std::string encode(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json encode_content(const DemandOfferBase& content)
{
    auto json = Json::object();
    json["properties"] = properties::to_json(content.properties);
    json["constraints"] = content.constraints;
    return json;
}

ErrorBody decode_error_body(std::string_view body)
{
    constexpr std::size_t longest_words = 500;
    ErrorBody result;
    result.words = body;
    if (!too_deep(body)) {
        const auto json = Json::parse(body, nullptr, false);
        if (json.is_object()) {
            const auto text = [&](const char* key) {
                const auto found = json.find(key);
                return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
            };
            const auto detail = text("detail");
            const auto more = text("internalError").empty() ? text("parseError") : text("internalError");
            result.problem = text("type") + " " + text("instance");
            if (!text("message").empty())
                result.words = text("message");
            else if (!detail.empty())
                result.words = more.empty() ? detail : detail + ": " + more;
            else if (json.contains("message") && json["message"].is_null())
                result.words.clear();
            result.requested = text("requestedFunds");
            result.available = text("availableFunds");
            result.reserved = text("reservedFunds");
        }
    }
    if (result.words.size() > longest_words) {
        auto end = longest_words;
        while (end > 0 && (static_cast<unsigned char>(result.words[end]) & 0xC0) == 0x80)
            --end;
        result.words.resize(end);
        result.words += "…";
    }
    return result;
}

} // namespace golem::yagna::codec
