#pragma once

#include <golem/core/time_source.hpp>
#include <golem/http/message.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace golem::devnet {

/// Something that goes wrong with one request.
class Fault {
public:
    enum class Kind { delay, hang, answer, drop, garbage, truncate };

    /// Carried out late.
    static Fault delay(Duration duration);
    /// Carried out never; the caller's own limit has to end it.
    static Fault hang();
    /// Not carried out: this answer instead.
    static Fault answer(unsigned status, std::string body, std::string content_type = "application/json");
    /// The connection breaks, before anything is carried out.
    static Fault drop();
    /// Carried out, but the connection breaks before the answer.
    static Fault drop_answer();
    /// Carried out; the answer's body is no JSON.
    static Fault garbage();
    /// Carried out; half of the answer's body is missing.
    static Fault truncate();

    Kind kind() const noexcept { return kind_; }

    Duration duration() const noexcept { return duration_; }

    bool is_carried_out() const noexcept { return carried_out_; }

    unsigned status() const noexcept { return status_; }

    const std::string& body() const noexcept { return body_; }

    const std::string& content_type() const noexcept { return content_type_; }

private:
    explicit Fault(Kind kind) : kind_(kind) {}

    Kind kind_;
    Duration duration_{0};
    bool carried_out_ = false;
    unsigned status_ = 0;
    std::string body_;
    std::string content_type_;
};

/// What shall go wrong, and when. For tests; one executor.
class Faults {
public:
    /// Strikes the next `count` requests of `method` whose path fits `pattern`, after the first `skip` of them. In a
    /// pattern `*` stands for one segment: "/market-api/v1/demands/*/events". Rules are tried in the order they were
    /// added.
    void add(http::Method method, std::string pattern, Fault fault, std::size_t count = 1, std::size_t skip = 0);
    void clear() { rules_.clear(); }

    /// Counts the request and says what strikes it.
    std::optional<Fault> take(http::Method method, const std::string& path);

private:
    struct Rule {
        http::Method method;
        std::string pattern;
        Fault fault;
        std::size_t count;
        std::size_t skip;
    };

    std::vector<Rule> rules_;
};

} // namespace golem::devnet
