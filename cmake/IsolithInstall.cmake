# cmake --install: headers, both libraries, the command, the CMake package, the pkg-config file and the
# documents.
include(CMakePackageConfigHelpers)

set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/isolith")

install(DIRECTORY include/isolith DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
foreach(target IN ITEMS isolith_shared isolith_static)
  if(TARGET ${target})
    list(APPEND libraries ${target})
  endif()
endforeach()
install(TARGETS ${libraries} EXPORT isolithTargets
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET isolith_tool)
  install(TARGETS isolith_tool RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

install(EXPORT isolithTargets NAMESPACE isolith:: DESTINATION "${package_directory}")
configure_package_config_file(cmake/isolithConfig.cmake.in "${PROJECT_BINARY_DIR}/isolithConfig.cmake"
  INSTALL_DESTINATION "${package_directory}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/isolithConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/isolithConfig.cmake" "${PROJECT_BINARY_DIR}/isolithConfigVersion.cmake"
  DESTINATION "${package_directory}")

# The prefix is found from where isolith.pc lies, so that an installed tree may be moved.
file(RELATIVE_PATH prefix_from_pc "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file(cmake/isolith.pc.in "${PROJECT_BINARY_DIR}/isolith.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/isolith.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(FILES README.md CHANGELOG.md LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
