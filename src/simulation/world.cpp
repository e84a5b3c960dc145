#include <golem/simulation/world.hpp>

#include <utility>

namespace golem::simulation {

namespace {

// What a run may take to end once it was asked to: closing bounds itself to minutes, and a defect must not spin.
constexpr std::size_t last_turns = 5'000'000;
constexpr Duration last_time = std::chrono::hours(1);

devnet::DevnetOptions with_seed(devnet::DevnetOptions options, std::uint64_t seed)
{
    options.seed = seed;
    options.with_transcript = true;
    return options;
}

} // namespace

World::World(WorldOptions options)
    : options_(std::move(options)), devnet_(std::make_unique<devnet::Devnet>(
                                        context_.get_executor(), time_, with_seed(options_.devnet, options_.seed)))
{
    tasks_.spawn("devnet", [this] { return devnet_->run(); });
}

World::~World()
{
    // Everything ends before what it refers to goes.
    end_life();
    tasks_.cancel();
    drive([this] { return tasks_.size() == 0; });
    context_.restart();
    context_.poll();
}

// In the order of a program that is interrupted: the app, then the manager with a daemon that still answers. Feeds of a
// manager that nobody closed would ask for ever.
void World::end_life()
{
    if (!manager_)
        return;
    app_->cancel();
    if (!drive([this] { return over_; })) {
        manager_->insist();
        drive([this] { return over_; });
    }
    life_.cancel();
    drive([this] { return life_.size() == 0; });
    manager_.reset();
    context_.restart();
    context_.poll();
}

// Bounded, and silent at its bounds.
bool World::drive(const std::function<bool()>& done)
{
    const auto end = time_.elapsed() + last_time;
    for (std::size_t turns = 0; !done();) {
        if (context_.stopped())
            context_.restart();
        if (context_.poll_one() > 0) {
            if (++turns > last_turns)
                return false;
        } else if (!time_.advance_to_next() || time_.elapsed() > end) {
            return false;
        }
    }
    return true;
}

provider::Agent& World::add_provider(const provider::ProviderOptions& options, provider::ScriptedBehaviour behaviour)
{
    auto runtimes =
        std::make_shared<provider::ScriptedRuntimeFactory>(context_.get_executor(), time_, std::move(behaviour));
    return devnet_->add_provider(options, std::move(runtimes));
}

void World::run(const std::function<Task<>(ServiceManager&)>& app)
{
    run_interrupted(static_cast<std::size_t>(-1), app);
}

void World::run_interrupted(std::size_t steps, const std::function<Task<>(ServiceManager&)>& app)
{
    const auto inner = devnet_->daemon();
    auto make_transport = [this, inner](const Executor& executor, TimeSource& time) {
        counting_ = std::make_shared<http::CountingTransport>(inner.make_transport(executor, time), time);
        return std::shared_ptr<http::Transport>(counting_);
    };
    auto manager_options = options_.manager;
    manager_options.daemon.emplace(inner.url(), inner.app_key(), std::move(make_transport));
    manager_options.time = &time_;
    manager_options.seed = options_.seed;
    manager_ = std::make_unique<ServiceManager>(context_.get_executor(), std::move(manager_options));

    app_ = std::make_unique<TaskGroup>(context_.get_executor());
    life_.spawn("life", [this, app] { return live(app); });
    const auto end = steps > static_cast<std::size_t>(-1) - steps_ ? static_cast<std::size_t>(-1) : steps_ + steps;
    try {
        run_until([this, end] { return over_ || steps_ >= end; });
        app_->cancel();
        run_until([this] { return over_; });
    } catch (const Stuck&) {
        // Now, as what the app refers to may be gone when this world is destroyed.
        end_life();
        throw;
    }
    end_life();
    if (failure_)
        std::rethrow_exception(std::exchange(failure_, nullptr));
}

Task<> World::live(const std::function<Task<>(ServiceManager&)>& app)
{
    app_->spawn("app", [this, &app] { return app(*manager_); });
    try {
        co_await app_->join(); // An interruption that was asked for is no failure.
    } catch (...) {
        failure_ = std::current_exception();
    }
    auto left = co_await manager_->close();
    leftovers_ = std::move(left);
    over_ = true;
}

void World::pass(Duration duration)
{
    bool passed = false;
    tasks_.spawn("time passes", [this, duration, &passed]() -> Task<> {
        co_await time_.sleep_for(duration, "time that passes");
        passed = true;
    });
    run_until([&passed] { return passed; });
}

std::map<std::string, std::size_t> World::requests_by_route() const
{
    return counting_ ? counting_->by_route() : std::map<std::string, std::size_t>();
}

void World::run_until(const std::function<bool()>& done)
{
    while (!done()) {
        if (context_.stopped())
            context_.restart();
        if (context_.poll_one() > 0) {
            if (++steps_ > options_.step_limit)
                stuck("the limit of " + std::to_string(options_.step_limit) + " turns was passed");
        } else if (!time_.advance_to_next()) {
            stuck("everybody waits, and nothing will happen any more");
        } else if (time_.elapsed() > options_.time_limit) {
            stuck("the limit of virtual time was passed");
        }
    }
}

void World::stuck(const std::string& why) const
{
    std::string text = why + "; waiting are:";
    for (const auto& line : time_.sleepers())
        text += "\n  " + line;
    if (manager_) {
        for (const auto& service : manager_->services()) {
            const auto report = service->status();
            text += "\n  service " + service->id() + ": " + std::string(to_string(report.status)) + " " + report.cause;
        }
    }
    throw Stuck(Errc::internal, "simulation", text);
}

} // namespace golem::simulation
