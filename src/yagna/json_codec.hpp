// Reading and writing the daemon's JSON: a parsed body, and a way through it that names what is wrong with it. Only the
// codecs include this header.
#pragma once

#include <golem/core/amount.hpp>
#include <golem/core/error.hpp>
#include <golem/core/time_source.hpp>
#include <golem/properties/property_set.hpp>
#include <golem/yagna/types.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace golem::yagna::codec {

using Json = nlohmann::json;

class Node;

/// The parsed body of an answer. Nodes refer to it: it stays while they are used, and it does not move.
class Document {
public:
    /// Parses. Throws Error protocol with the position and the first bytes of what is not JSON, or is nested too
    /// deeply.
    Document(std::string_view operation, const std::string& body);

    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;

    Node root() const;
    const std::string& operation() const noexcept { return operation_; }
    /// The source text of the number at `path`: a double would have rounded it.
    std::string number_text(const std::string& path) const;

private:
    std::string operation_;
    const std::string& body_;
    Json json_;
};

/// A place in a document. What is missing or of the wrong type is Error protocol with operation, member and what was
/// found.
class Node {
public:
    Node(const Document& document, const Json& json, std::string path)
        : document_(&document), json_(&json), path_(std::move(path))
    {
    }

    const Json& json() const noexcept { return *json_; }
    const std::string& path() const noexcept { return path_; }
    bool is_null() const noexcept { return json_->is_null(); }

    /// A member that must be there and not be null.
    Node at(std::string_view key) const;
    /// A member, or nothing if it is absent or null.
    std::optional<Node> find(std::string_view key) const;
    /// The items of a list.
    std::vector<Node> items() const;

    const std::string& string() const;
    bool boolean() const;
    std::int64_t integer() const;
    double number() const;
    std::vector<double> numbers() const;
    std::vector<std::string> strings() const;
    /// From a string, or from a number without rounding it.
    Amount amount() const;
    /// The same, cut to 18 decimals: the daemon lets others reserve less than the smallest amount that can be paid.
    Amount amount_cut() const;
    Timestamp timestamp() const;
    properties::PropertySet properties() const;
    /// A string, or a list of byte numbers.
    std::string bytes() const;

    std::string string_or(std::string_view key, std::string_view otherwise) const;
    std::optional<Timestamp> optional_timestamp(std::string_view key) const;
    Reason reason() const;
    DemandOfferBase content() const;

    [[noreturn]] void refuse(std::string_view expected) const;

private:
    std::string amount_text() const;

    const Document* document_;
    const Json* json_;
    std::string path_;
};

/// A body that is one JSON string, such as the id of what was created.
std::string decode_id(std::string_view operation, const std::string& body);
/// Text that is not UTF-8 is written with replacement characters rather than refused.
std::string encode(const Json& json);
Json encode_content(const DemandOfferBase& content);

} // namespace golem::yagna::codec
