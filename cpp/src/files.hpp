// Files that either are there whole or not at all. Every function throws Error(kIo) naming the file.
// Paths are UTF-8. One file for each system: files_posix.cpp, files_windows.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace mastra::files {

using Handle = std::intptr_t;  // a descriptor or a HANDLE
inline constexpr Handle kNoFile = -1;

// Throws Error(kIo) with the system's own words for the last failure; Error(kNotFound) when nothing is there.
[[noreturn]] void fail(const std::string& path, const char* what);

bool exists(const std::string& path);
Handle create(const std::string& path);         // empties what is there
Handle open(const std::string& path) noexcept;  // to read and write what is there; kNoFile when it cannot
void write_all(Handle file, const std::string& path, const void* data, std::size_t bytes);
void flush(Handle file, const std::string& path);       // all of it is on the disk
void flush_data(Handle file, const std::string& path);  // what is needed to read it back is on the disk
// Cuts the file there and goes on writing from there. False when the system refuses.
bool cut(Handle file, std::size_t bytes) noexcept;
// Keeps other writers out until the file is closed. False when another has it.
bool lock(Handle file) noexcept;
void close(Handle file) noexcept;
void rename(const std::string& from, const std::string& to);
// `to` becomes another name of what `from` names now, atomically; nothing when there is no `from`.
void keep(const std::string& from, const std::string& to);
void remove(const std::string& path) noexcept;
void flush_folder_of(const std::string& path);

}  // namespace mastra::files
