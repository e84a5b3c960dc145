// A service, and what keeps it going: both as in a program for the real network.
#pragma once

#include <golem/golem.hpp>

#include <algorithm>
#include <string>
#include <vector>

// Reads a machine's temperature once a minute.
class Thermometer : public golem::Service {
public:
    explicit Thermometer(std::vector<double>& readings) : readings_(readings) {}

    golem::Payload payload() const override
    {
        return golem::vm_image(
            "9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae",
            "http://registry.golem.network/download/9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae");
    }

    golem::Task<> run(golem::WorkContext& work) override
    {
        for (;;) {
            const auto reading = co_await work.run("/bin/cat", "/sys/class/thermal/thermal_zone0/temp");
            readings_.push_back(std::stod(reading.out) / 1000);
            co_await work.sleep(std::chrono::minutes(1));
        }
    }

private:
    std::vector<double>& readings_;
};

// Measures until there are `wanted` readings. A service that failed is not restarted: here another one is created, on
// another machine as a rule. Three in a row that read nothing (a wrong key, an image that does not start) are the end.
inline golem::Task<> measure(golem::ServiceManager& manager, std::vector<double>& readings, std::size_t wanted)
{
    auto thermometer = manager.create_service<Thermometer>(std::ref(readings));
    std::size_t before = 0;
    int failed_in_vain = 0;
    while (readings.size() < wanted) {
        const auto now = thermometer->status();
        if (now == golem::ServiceStatus::failed) {
            failed_in_vain = readings.size() > before ? 0 : failed_in_vain + 1;
            if (failed_in_vain == 3)
                throw golem::ServiceError(thermometer->id(), now);
            before = readings.size();
            thermometer = manager.create_service<Thermometer>(std::ref(readings));
        }
        co_await manager.sleep(std::chrono::seconds(10));
    }
    thermometer->stop();
    co_await thermometer->wait_for(golem::ServiceStatus::stopped);
}
