#include <golem/devnet/faults.hpp>

#include <string_view>
#include <utility>

namespace golem::devnet {

namespace {

bool fits(std::string_view pattern, std::string_view path)
{
    while (!pattern.empty() || !path.empty()) {
        const auto wanted = pattern.substr(0, pattern.find('/', 1));
        const auto given = path.substr(0, path.find('/', 1));
        if (wanted != given && !(wanted == "/*" && given.size() > 1))
            return false;
        pattern.remove_prefix(wanted.size());
        path.remove_prefix(given.size());
    }
    return true;
}

} // namespace

Fault Fault::delay(Duration duration)
{
    Fault fault(Kind::delay);
    fault.duration_ = duration;
    fault.carried_out_ = true;
    return fault;
}

Fault Fault::hang() { return Fault(Kind::hang); }

Fault Fault::answer(unsigned status, std::string body, std::string content_type)
{
    Fault fault(Kind::answer);
    fault.status_ = status;
    fault.body_ = std::move(body);
    fault.content_type_ = std::move(content_type);
    return fault;
}

Fault Fault::drop() { return Fault(Kind::drop); }

Fault Fault::drop_answer()
{
    Fault fault(Kind::drop);
    fault.carried_out_ = true;
    return fault;
}

Fault Fault::garbage()
{
    Fault fault(Kind::garbage);
    fault.carried_out_ = true;
    return fault;
}

Fault Fault::truncate()
{
    Fault fault(Kind::truncate);
    fault.carried_out_ = true;
    return fault;
}

void Faults::add(http::Method method, std::string pattern, Fault fault, std::size_t count, std::size_t skip)
{
    rules_.push_back(Rule{method, std::move(pattern), std::move(fault), count, skip});
}

std::optional<Fault> Faults::take(http::Method method, const std::string& path)
{
    for (auto& rule : rules_) {
        if (rule.method != method || rule.count == 0 || !fits(rule.pattern, path))
            continue;
        if (rule.skip > 0) {
            --rule.skip;
            continue;
        }
        --rule.count;
        return rule.fault;
    }
    return std::nullopt;
}

} // namespace golem::devnet
