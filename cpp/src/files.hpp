// Files that either are there whole or not at all. Every function throws Error(kIo) naming the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace mastra::files {

// Throws Error(kIo) with the system's own words for the last failure.
[[noreturn]] void fail(const std::string& path, const char* what);

bool exists(const std::string& path);
int create(const std::string& path);  // empties what is there
void write_all(int file, const std::string& path, const void* data, std::size_t bytes);
void flush(int file, const std::string& path);
void close(int file) noexcept;
void rename(const std::string& from, const std::string& to);
// `to` becomes another name of what `from` names now, atomically; nothing when there is no `from`.
void keep(const std::string& from, const std::string& to);
void remove(const std::string& path) noexcept;
void flush_folder_of(const std::string& path);

}  // namespace mastra::files
