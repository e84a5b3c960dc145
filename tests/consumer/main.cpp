// A program of a stranger: it knows the headers, and the library that CMake gave it.
#include <golem/core/error.hpp>
#include <golem/core/task_group.hpp>

#include <boost/asio/io_context.hpp>

#include <iostream>

int main()
{
    boost::asio::io_context context;
    golem::TaskGroup group(context.get_executor());
    int finished = 0;
    group.spawn("counts", [&]() -> golem::Task<> {
        ++finished;
        co_return;
    });
    context.run();
    const golem::Error error(golem::Errc::closed, "consume", "the group is empty");
    std::cout << error.what() << '\n';
    return finished == 1 && group.size() == 0 ? 0 : 1;
}
