#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace golem::devnet {

/// How an error body is written: the real daemon has several shapes.
enum class BodyKind {
    message,       ///< `{"message":"…"}`
    null_message,  ///< `{"message":null}`
    text,          ///< text/plain
    typed_message, ///< `{"message":"…"}` declared as text/plain: ids that do not parse
    empty,         ///< No body.
    problem,       ///< application/problem+json, see Failure::members
};

/// Why the daemon says no: what will be its answer. A value.
class Failure {
public:
    Failure(unsigned status, std::string text, BodyKind kind = BodyKind::message)
        : status_(status), kind_(kind), text_(std::move(text))
    {
    }

    unsigned status() const noexcept { return status_; }
    BodyKind kind() const noexcept { return kind_; }
    /// The daemon's words; for a problem its `detail`.
    const std::string& text() const noexcept { return text_; }
    /// Further members of a problem: names and their strings, `type` and `instance` without the common prefix.
    const std::vector<std::pair<std::string, std::string>>& members() const noexcept { return members_; }

    Failure& add(std::string name, std::string value)
    {
        members_.emplace_back(std::move(name), std::move(value));
        return *this;
    }

private:
    unsigned status_;
    BodyKind kind_;
    std::string text_;
    std::vector<std::pair<std::string, std::string>> members_;
};

/// A value, or why there is none.
template <typename T>
class Result {
public:
    Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
    Result(Failure failure) : content_(std::in_place_index<1>, std::move(failure)) {}

    explicit operator bool() const noexcept { return content_.index() == 0; }
    const T& value() const { return std::get<0>(content_); }
    T& value() { return std::get<0>(content_); }
    const Failure& failure() const { return std::get<1>(content_); }
    const T& operator*() const { return value(); }
    const T* operator->() const { return &value(); }

private:
    std::variant<T, Failure> content_;
};

/// A value that stays where it is, or why there is none.
template <typename T>
class Result<T&> {
public:
    Result(T& value) : value_(&value) {}
    Result(Failure failure) : failure_(std::move(failure)) {}

    explicit operator bool() const noexcept { return value_ != nullptr; }
    T& value() const noexcept { return *value_; }
    const Failure& failure() const { return failure_.value(); }
    T& operator*() const noexcept { return *value_; }
    T* operator->() const noexcept { return value_; }

private:
    T* value_ = nullptr;
    std::optional<Failure> failure_;
};

/// Success without a value.
struct Done {};

} // namespace golem::devnet
