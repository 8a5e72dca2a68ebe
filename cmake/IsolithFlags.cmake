# isolith_flags: how every file of this tree is compiled. Never part of what a linking program gets.

option(ISOLITH_WERROR "Warnings are errors" ${PROJECT_IS_TOP_LEVEL})
option(ISOLITH_ASSERTIONS "Compile DCHECK in" OFF)
set(ISOLITH_SANITIZE "" CACHE STRING "Sanitizer: address, thread, undefined, or nothing")
set_property(CACHE ISOLITH_SANITIZE PROPERTY STRINGS "" address thread undefined)

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
endif()

find_package(Threads REQUIRED)

add_library(isolith_flags INTERFACE)
target_compile_features(isolith_flags INTERFACE cxx_std_20)
target_include_directories(isolith_flags INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include")
target_compile_options(isolith_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
# GCC 12 takes `"text" + string` at -O3 for overlapping copies (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(isolith_flags INTERFACE $<$<CONFIG:Release>:-Wno-restrict>)
endif()
target_link_libraries(isolith_flags INTERFACE Threads::Threads)
if(ISOLITH_WERROR)
  target_compile_options(isolith_flags INTERFACE -Werror)
endif()
if(ISOLITH_ASSERTIONS)
  target_compile_definitions(isolith_flags INTERFACE ISOLITH_ASSERTIONS)
endif()

if(ISOLITH_SANITIZE)
  if(NOT ISOLITH_SANITIZE MATCHES "^(address|thread|undefined)$")
    message(FATAL_ERROR "ISOLITH_SANITIZE is '${ISOLITH_SANITIZE}': address, thread or undefined expected")
  endif()
  set(sanitizer_options -fsanitize=${ISOLITH_SANITIZE} -fno-omit-frame-pointer)
  if(ISOLITH_SANITIZE STREQUAL "undefined")
    list(APPEND sanitizer_options -fno-sanitize-recover=all)
  endif()
  target_compile_options(isolith_flags INTERFACE ${sanitizer_options})
  target_link_options(isolith_flags INTERFACE ${sanitizer_options})
  if(ISOLITH_SANITIZE STREQUAL "thread")
    target_compile_definitions(isolith_flags INTERFACE ISOLITH_TSAN)
  endif()
endif()

# The same objects go into the static and the shared library; what is called inside is not to be interposed.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
target_compile_options(isolith_flags INTERFACE -fno-semantic-interposition)
set(CMAKE_CXX_EXTENSIONS OFF)
