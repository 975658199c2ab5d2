# Build settings and helpers that every folder shares.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

set(FIREBREAK_SANITIZE "" CACHE STRING "Sanitizers for the whole build: address,undefined or thread")

add_compile_options(-Wall -Wextra -Werror -Wno-psabi)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # Version 12 sees overruns inside libstdc++ that are not there (its bugs 105329, 105545, 106199):
  # these stay warnings.
  add_compile_options(-Wno-error=array-bounds -Wno-error=stringop-overflow -Wno-error=restrict
                      -Wno-error=stringop-overread -Wno-error=maybe-uninitialized)
endif()
include_directories(${PROJECT_SOURCE_DIR})
include_directories(SYSTEM /usr/include)
# Whether Asio finds std::aligned_alloc depends on what a file includes before it: off everywhere, so
# that what one file allocates another may free.
add_compile_definitions(ASIO_STANDALONE ASIO_NO_DEPRECATED ASIO_DISABLE_STD_ALIGNED_ALLOC)
if(FIREBREAK_SANITIZE)
  add_compile_options(-fsanitize=${FIREBREAK_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FIREBREAK_SANITIZE})
  if(FIREBREAK_SANITIZE STREQUAL thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # It sees no order in a fence. Ours stand between atomics alone; Asio's are left out, its mutexes
    # give the same order.
    add_compile_options(-Wno-tsan)
    add_compile_definitions(ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()

option(FIREBREAK_FUZZ "Build the fuzzers with libFuzzer (clang only)" OFF)
if(FIREBREAK_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer
                      -fno-sanitize-recover=all -Wno-error)
  add_link_options(-fsanitize=address,undefined)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(GTest REQUIRED)
# What the guard links is locked into memory, and a whole shared library is more than the part
# that is used: of these the archive is taken.
set(firebreak_suffixes ${CMAKE_FIND_LIBRARY_SUFFIXES})
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(yaml_cpp REQUIRED IMPORTED_TARGET yaml-cpp)
pkg_check_modules(serialport REQUIRED IMPORTED_TARGET libserialport)
set(CMAKE_FIND_LIBRARY_SUFFIXES ${firebreak_suffixes})

# firebreak_library(NAME SOURCES a.cc … [LIBS …]): the static library fb_NAME.
function(firebreak_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_library(fb_${name} STATIC ${arg_SOURCES})
  target_link_libraries(fb_${name} PUBLIC ${arg_LIBS})
endfunction()

# firebreak_unit_test(AREA SOURCES a_test.cc … [LIBS …]): the test program unit_AREA, one ctest a
# case, each with a generous limit that only a hang reaches.
include(GoogleTest)
function(firebreak_unit_test area)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(unit_${area} ${arg_SOURCES})
  target_link_libraries(unit_${area} PRIVATE ${arg_LIBS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(unit_${area} PRIVATE
    FIREBREAK_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(unit_${area} TEST_PREFIX "${area}." DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT 300 LABELS unit)
endfunction()
