// What you subclass: Service for what happens on the machine, ServiceWrapper for what your program knows about it.
#include <golem/devnet/devnet.hpp>
#include <golem/golem.hpp>

#include <iostream>

const std::string image = "9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae";

struct Greeter : golem::Service {
    explicit Greeter(std::string name_of_guest) : guest(std::move(name_of_guest)) {}

    golem::Payload payload() const override
    {
        return golem::vm_image(image, "http://registry.golem.network/download/" + image);
    }

    golem::Task<> run(golem::WorkContext& work) override
    {
        const auto greeting = co_await work.run("/bin/echo", "Hello", guest + "!");
        std::cout << work.provider().name << " says: " << greeting.out;
        co_await Service::run(work); // Until somebody stops it.
    }

    const std::string guest;
};

struct NamedWrapper : golem::ServiceWrapper {
    NamedWrapper(golem::WrapperInit init, std::string its_name)
        : ServiceWrapper(std::move(init)), name(std::move(its_name))
    {
    }

    void on_status_changed(const golem::StatusReport&, const golem::StatusReport& now) noexcept override
    {
        std::cout << name << " is " << to_string(now.status) << std::endl;
    }

    const std::string name;
};

golem::Task<> app(golem::ServiceManager& manager)
{
    std::vector<std::shared_ptr<NamedWrapper>> greeters;
    for (const std::string name : {"Ada", "Grace"})
        greeters.push_back(manager.create_service_as<Greeter, NamedWrapper>(std::tuple(name), name));
    for (const auto& greeter : greeters)
        co_await greeter->wait_for(golem::ServiceStatus::running);
    co_await manager.sleep(std::chrono::seconds(3));
    for (const auto& greeter : greeters)
        greeter->stop();
    for (const auto& greeter : greeters)
        co_await greeter->wait_for(golem::ServiceStatus::stopped);
}

int main() { return golem::run(app, golem::devnet::daemon_or_devnet()); }
