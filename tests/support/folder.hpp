// A folder for the files of one test.
#pragma once

#include <tests/support/catch.hpp>

#include <stdlib.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace golem::test {

class Folder {
public:
    Folder()
    {
        auto name = (std::filesystem::temp_directory_path() / "golem-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path = name;
    }

    ~Folder()
    {
        std::error_code ignored; // The system cleans up what a test cannot.
        std::filesystem::remove_all(path, ignored);
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::size_t count() const
    {
        using Iterator = std::filesystem::directory_iterator;
        return static_cast<std::size_t>(std::distance(Iterator(path), Iterator()));
    }

    std::filesystem::path path;
};

inline std::string content_of(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

} // namespace golem::test
