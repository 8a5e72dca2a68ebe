# The folders of the engine, the two libraries made of them, and the commands.

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")

include(GNUInstallDirs)

# isolith_add_folder(<folder> [<target below>...]): the object library isolith_<folder> of all *.cc of the
# calling folder.
function(isolith_add_folder folder)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  if(sources)
    add_library(isolith_${folder} OBJECT ${sources})
    target_link_libraries(isolith_${folder} PUBLIC isolith_flags ${ARGN})
  else()
    add_library(isolith_${folder} INTERFACE)  # headers alone
    target_link_libraries(isolith_${folder} INTERFACE isolith_flags ${ARGN})
  endif()
endfunction()

# What an object library links says whose headers it needs; an executable needs the objects of all of them as
# well.
# isolith_with_folders_below(<variable> <target>...): the targets and every isolith_<folder> that they rest
# on.
function(isolith_with_folders_below variable)
  set(open ${ARGN})
  set(found "")
  while(open)
    list(POP_FRONT open target)
    if(NOT target IN_LIST found)
      list(APPEND found ${target})
      if(target MATCHES "^isolith_" AND TARGET ${target})
        get_target_property(type ${target} TYPE)
        if(type STREQUAL "OBJECT_LIBRARY")
          get_target_property(below ${target} LINK_LIBRARIES)
        elseif(type STREQUAL "INTERFACE_LIBRARY")
          get_target_property(below ${target} INTERFACE_LINK_LIBRARIES)
        else()
          set(below "")
        endif()
        list(APPEND open ${below})
        list(REMOVE_ITEM open below-NOTFOUND)
      endif()
    endif()
  endwhile()
  set(${variable} ${found} PARENT_SCOPE)
endfunction()

# isolith_add_libraries(<target of a folder>...): isolith::isolith (shared; with BUILD_SHARED_LIBS=OFF only
# the static library is built and this is another name for it) and isolith::isolith_static.
function(isolith_add_libraries)
  set(objects "")
  foreach(folder IN LISTS ARGN)
    get_target_property(type ${folder} TYPE)
    if(type STREQUAL "OBJECT_LIBRARY")
      list(APPEND objects $<TARGET_OBJECTS:${folder}>)
    endif()
  endforeach()
  if(NOT objects)
    return()
  endif()

  add_library(isolith_static STATIC ${objects})
  isolith_finish_library(isolith_static isolith_static)
  if(DEFINED BUILD_SHARED_LIBS AND NOT BUILD_SHARED_LIBS)
    add_library(isolith::isolith ALIAS isolith_static)
    return()
  endif()

  add_library(isolith_shared SHARED ${objects})
  isolith_finish_library(isolith_shared isolith)
  set(map "${PROJECT_SOURCE_DIR}/cmake/isolith.map")
  set_target_properties(isolith_shared PROPERTIES
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}  # before 1.0 a minor version may break it
    LINK_DEPENDS "${map}")
  target_link_options(isolith_shared PRIVATE "LINKER:--version-script=${map}")
  if(NOT ISOLITH_SANITIZE)
    target_link_options(isolith_shared PRIVATE "LINKER:--no-undefined")
  endif()
endfunction()

function(isolith_finish_library target export_name)
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME isolith EXPORT_NAME ${export_name} LINKER_LANGUAGE CXX)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${target} PRIVATE Threads::Threads $<BUILD_INTERFACE:isolith_flags>)
  add_library(isolith::${export_name} ALIAS ${target})
endfunction()

# isolith_add_bench(<name> SOURCES <file>... [LIBS <target>...]): a program bin/<name> with Google Benchmark.
function(isolith_add_bench name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  isolith_with_folders_below(libraries isolith_flags ${arg_LIBS})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${libraries} benchmark::benchmark)
endfunction()
