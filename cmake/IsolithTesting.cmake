# isolith_add_test(<name> SOURCES <file>... [LIBS <target>...] [LABELS <label>...])
#
# A GoogleTest program bin/tests/<name>; CTest knows each of its tests as <name>.<Suite>.<Test>. LIBS names
# folders (isolith_wal brings base along) or any other target; GoogleMock, rapidcheck and the main of
# tests/support are linked.

include(GoogleTest)

function(isolith_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS;LABELS")
  isolith_with_folders_below(libraries isolith_flags ${arg_LIBS})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${libraries} isolith_test_support)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/tests")

  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600)

  # Set in a second file, since a property of gtest_discover_tests cannot be a list.
  if(arg_LABELS)
    set(labels_file "${CMAKE_CURRENT_BINARY_DIR}/${name}_labels.cmake")
    file(WRITE "${labels_file}"
      "if(${name}_TESTS)\n"
      "  set_tests_properties(\${${name}_TESTS} PROPERTIES LABELS \"${arg_LABELS}\")\n"
      "endif()\n")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${labels_file}")
  endif()
endfunction()
