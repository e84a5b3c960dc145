#include <golem/devnet/decimal.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace golem::devnet {

std::optional<Decimal> Decimal::parse(std::string_view text)
{
    const auto value = Amount::try_parse(text);
    if (!value)
        return std::nullopt;
    const auto mark = text.find_first_of("eE");
    const auto digits = text.substr(0, mark);
    const auto point = digits.find('.');
    int scale = point == std::string_view::npos ? 0 : static_cast<int>(digits.size() - point - 1);
    if (mark != std::string_view::npos)
        scale -= std::atoi(std::string(text.substr(mark + 1)).c_str());
    return Decimal(*value, std::clamp(scale, 0, Amount::decimals));
}

std::optional<Decimal> Decimal::from_number(double number)
{
    if (!(std::fabs(number) < 1e20))
        return std::nullopt;
    char text[64];
    std::snprintf(text, sizeof text, "%.15e", number);
    const int exponent = std::atoi(std::string(text).substr(std::string(text).find('e') + 1).c_str());
    const int scale = std::clamp(15 - exponent, 0, Amount::decimals);
    std::snprintf(text, sizeof text, "%.*f", scale, number);
    return parse(text);
}

} // namespace golem::devnet
