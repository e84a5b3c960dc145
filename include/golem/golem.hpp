#pragma once

/// Everything a program needs that runs services on the Golem Network.

#include <golem/core/amount.hpp>
#include <golem/core/error.hpp>
#include <golem/core/event.hpp>
#include <golem/core/task.hpp>
#include <golem/core/task_group.hpp>
#include <golem/market/manifest.hpp>
#include <golem/market/payload.hpp>
#include <golem/market/strategy.hpp>
#include <golem/network/network.hpp>
#include <golem/service/run.hpp>
#include <golem/service/service.hpp>
#include <golem/service/service_manager.hpp>
#include <golem/service/service_wrapper.hpp>
#include <golem/service/wait.hpp>
#include <golem/work/script.hpp>
#include <golem/work/work_context.hpp>
#include <golem/yagna/daemon.hpp>
