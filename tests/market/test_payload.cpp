#include <golem/market/payload.hpp>

#include <golem/core/error.hpp>
#include <golem/market/detail/demand_building.hpp>

#include <tests/support/catch.hpp>

using namespace golem;
