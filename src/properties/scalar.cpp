#include <golem/properties/detail/scalar.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace golem::properties::detail {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool all_digits(std::string_view text) noexcept { return std::all_of(text.begin(), text.end(), is_digit); }

std::strong_ordering order_of_digits(std::string_view left, std::string_view right) noexcept
{
    return left.size() != right.size() ? left.size() <=> right.size() : left.compare(right) <=> 0;
}

} // namespace

std::optional<double> parse_number(std::string_view text) noexcept
{
    if (text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+')
        text.remove_prefix(1);
    if (text.find('(') != std::string_view::npos)
        return std::nullopt; // "nan(…)" is C++ only.
    double value = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value);
    if (stop != end || problem == std::errc::invalid_argument)
        return std::nullopt;
    if (problem == std::errc::result_out_of_range) {
        const auto exponent = text.find_first_of("eE");
        const auto mantissa = text.substr(0, exponent);
        const bool tiny = exponent != std::string_view::npos ? text.find('-', exponent) != std::string_view::npos
                                                             : mantissa.find_first_of("123456789") > mantissa.find('.');
        value = tiny ? 0.0 : std::numeric_limits<double>::infinity();
        if (text[0] == '-')
            value = -value;
    }
    return value;
}

std::optional<Timestamp> parse_zoned_timestamp(std::string_view text) noexcept
{
    constexpr std::size_t without_zone = 19;
    if (text.size() <= without_zone || text.find_first_of("Zz+-", without_zone) == std::string_view::npos)
        return std::nullopt;
    return try_parse_timestamp(text);
}

std::optional<Decimal> Decimal::parse(std::string_view text)
{
    Decimal decimal;
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
        decimal.negative_ = text[0] == '-';
        text.remove_prefix(1);
    }
    long long exponent = 0;
    if (const auto mark = text.find_first_of("eE"); mark != std::string_view::npos) {
        auto written = text.substr(mark + 1);
        if (!written.empty() && written[0] == '+')
            written.remove_prefix(1);
        const auto* const end = written.data() + written.size();
        const auto [stop, problem] = std::from_chars(written.data(), end, exponent);
        constexpr long long limit = 1'000'000'000'000;
        if (stop != end || problem != std::errc() || exponent > limit || exponent < -limit)
            return std::nullopt;
        text = text.substr(0, mark);
    }
    const auto point = std::min(text.find('.'), text.size());
    const auto whole = text.substr(0, point);
    const auto fraction = point == text.size() ? std::string_view() : text.substr(point + 1);
    if ((whole.empty() && fraction.empty()) || !all_digits(whole) || !all_digits(fraction))
        return std::nullopt;

    std::string digits(whole);
    digits += fraction;
    const auto leading = std::min(digits.find_first_not_of('0'), digits.size());
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.empty()) {
        decimal.negative_ = false;
        return decimal;
    }
    decimal.digits_ = digits.substr(leading);
    decimal.magnitude_ = static_cast<long long>(whole.size()) - static_cast<long long>(leading) + exponent;
    return decimal;
}

std::strong_ordering Decimal::operator<=>(const Decimal& other) const noexcept
{
    const auto sign = [](const Decimal& decimal) { return decimal.digits_.empty() ? 0 : decimal.negative_ ? -1 : 1; };
    if (sign(*this) != sign(other))
        return sign(*this) <=> sign(other);
    const auto order =
        magnitude_ != other.magnitude_ ? magnitude_ <=> other.magnitude_ : digits_.compare(other.digits_) <=> 0;
    return negative_ ? 0 <=> order : order;
}

std::optional<Version> Version::parse(std::string_view text)
{
    Version version;
    const auto identifier_end = [](std::string_view rest) {
        const auto stop = std::find_if_not(rest.begin(), rest.end(), [](char c) {
            return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
        });
        return static_cast<std::size_t>(stop - rest.begin());
    };
    for (int index = 0; index < 3; ++index) {
        if (index > 0) {
            if (text.empty() || text[0] != '.')
                return std::nullopt;
            text.remove_prefix(1);
        }
        const auto* const end = text.data() + text.size();
        if (text.empty() || !is_digit(text[0]))
            return std::nullopt;
        const auto [stop, problem] = std::from_chars(text.data(), end, version.numbers_[index]);
        const auto length = static_cast<std::size_t>(stop - text.data());
        if (problem != std::errc() || (length > 1 && text[0] == '0'))
            return std::nullopt;
        text.remove_prefix(length);
    }
    for (const char mark : {'-', '+'}) {
        if (text.empty() || text[0] != mark)
            continue;
        do {
            text.remove_prefix(1);
            const auto identifier = text.substr(0, identifier_end(text));
            if (identifier.empty())
                return std::nullopt;
            if (mark == '-') {
                if (identifier.size() > 1 && identifier[0] == '0' && all_digits(identifier))
                    return std::nullopt;
                version.pre_release_.emplace_back(identifier);
            }
            text.remove_prefix(identifier.size());
        } while (!text.empty() && text[0] == '.');
    }
    return text.empty() ? std::optional(std::move(version)) : std::nullopt;
}

std::strong_ordering Version::operator<=>(const Version& other) const noexcept
{
    for (int index = 0; index < 3; ++index) {
        if (numbers_[index] != other.numbers_[index])
            return numbers_[index] <=> other.numbers_[index];
    }
    // A pre-release comes before its release.
    if (pre_release_.empty() != other.pre_release_.empty())
        return pre_release_.empty() ? std::strong_ordering::greater : std::strong_ordering::less;
    const auto shared = std::min(pre_release_.size(), other.pre_release_.size());
    for (std::size_t index = 0; index < shared; ++index) {
        const auto& left = pre_release_[index];
        const auto& right = other.pre_release_[index];
        const bool left_number = all_digits(left);
        const bool right_number = all_digits(right);
        if (left_number != right_number)
            return left_number ? std::strong_ordering::less : std::strong_ordering::greater;
        const auto order = left_number ? order_of_digits(left, right) : left.compare(right) <=> 0;
        if (order != 0)
            return order;
    }
    return pre_release_.size() <=> other.pre_release_.size();
}

} // namespace golem::properties::detail
