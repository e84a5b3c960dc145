#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace golem::bus::detail {

/// Who answers for which addresses: of the prefixes of an address that end at a slash or at its end, the longest
/// counts.
template <typename T>
class PrefixTable {
public:
    /// False, and nothing changes, if the prefix is taken.
    bool add(const std::string& prefix, T owner) { return owners_.try_emplace(prefix, std::move(owner)).second; }

    bool remove(std::string_view prefix)
    {
        const auto found = owners_.find(prefix);
        if (found == owners_.end())
            return false;
        owners_.erase(found);
        return true;
    }

    template <typename Predicate>
    void remove_if(Predicate predicate)
    {
        std::erase_if(owners_, [&](const auto& entry) { return predicate(entry.second); });
    }

    /// The owner of exactly this prefix, or null.
    const T* at(std::string_view prefix) const
    {
        const auto found = owners_.find(prefix);
        return found == owners_.end() ? nullptr : &found->second;
    }

    /// The owner that answers for an address, or null.
    const T* find(std::string_view address) const
    {
        for (;;) {
            if (const auto* owner = at(address))
                return owner;
            const auto slash = address.rfind('/');
            if (slash == std::string_view::npos || slash == 0)
                return nullptr;
            address = address.substr(0, slash);
        }
    }

    template <typename Visitor>
    void for_each(Visitor visitor) const
    {
        for (const auto& [prefix, owner] : owners_)
            visitor(prefix, owner);
    }

    bool empty() const noexcept { return owners_.empty(); }

private:
    std::map<std::string, T, std::less<>> owners_;
};

} // namespace golem::bus::detail
